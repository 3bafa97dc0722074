-- The newest trades of streams, without what is not needed to know a repeat from a new trade.
--
-- ARGV[1]: msgpack of {count, streams}
--   streams: {key, first entry id, last entry id}, …   what may have been written early; empty texts: nothing was
-- Answer: for each key {trade ids, oldest first, joined by blanks; newest traded_at_us; newest received_at_us;
-- last entry id; trade ids written early, their offsets, their received_at_us}
local count, streams = unpack(cmsgpack.unpack(ARGV[1]))

local answer = {}
for k, stream in ipairs(streams) do
  local key, first_early, last_early = unpack(stream)
  local entries = redis.call('XREVRANGE', key, '+', '-', 'COUNT', count)
  local ids, traded, received = {}, 0, 0
  for i = #entries, 1, -1 do
    local values = entries[i][2]
    ids[#ids + 1] = values[2]
    traded = math.max(traded, tonumber(values[10]))
    received = math.max(received, tonumber(values[12]))
  end
  local last = entries[1] and entries[1][1] or '0-0'
  local early, offsets, received_at_us = {}, {}, {}
  if first_early ~= '' then
    for i, entry in ipairs(redis.call('XREVRANGE', key, last_early, first_early)) do
      early[i], offsets[i], received_at_us[i] = entry[2][2], string.match(entry[1], '-(%d+)$'), entry[2][12]
    end
  end
  answer[k] = {table.concat(ids, ' '), string.format('%.0f', traded), string.format('%.0f', received), last,
    table.concat(early, ' '), table.concat(offsets, ' '), table.concat(received_at_us, ' ')}
end
return answer
