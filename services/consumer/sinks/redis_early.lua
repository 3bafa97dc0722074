-- A page of what may have been written of topics made anew before that was known, newest first.
--
-- ARGV[1]: msgpack of {count, streams}
--   streams: {key, first entry id, last entry id}, …
-- Answer: for each key {trade ids, offsets, received_at_us}, each joined by blanks
local count, streams = unpack(cmsgpack.unpack(ARGV[1]))

local answer = {}
for k, stream in ipairs(streams) do
  local ids, offsets, received_at_us = {}, {}, {}
  for i, entry in ipairs(redis.call('XREVRANGE', stream[1], stream[3], stream[2], 'COUNT', count)) do
    ids[i], offsets[i], received_at_us[i] = entry[2][2], string.match(entry[1], '-(%d+)$'), entry[2][12]
  end
  answer[k] = {table.concat(ids, ' '), table.concat(offsets, ' '), table.concat(received_at_us, ' ')}
end
return answer
