-- The newest trades of streams, without what is not needed to know a repeat from a new trade.
--
-- ARGV[1]: msgpack of {count, keys}
-- Answer: for each key {trade ids, oldest first, joined by blanks; newest traded_at_us; newest received_at_us;
-- last entry id}
local count, keys = unpack(cmsgpack.unpack(ARGV[1]))

local answer = {}
for k, key in ipairs(keys) do
  local entries = redis.call('XREVRANGE', key, '+', '-', 'COUNT', count)
  local ids, traded, received = {}, 0, 0
  for i = #entries, 1, -1 do
    local values = entries[i][2]
    ids[#ids + 1] = values[2]
    traded = math.max(traded, tonumber(values[10]))
    received = math.max(received, tonumber(values[12]))
  end
  local last = entries[1] and entries[1][1] or '0-0'
  answer[k] = {table.concat(ids, ' '), string.format('%.0f', traded), string.format('%.0f', received), last}
end
return answer
