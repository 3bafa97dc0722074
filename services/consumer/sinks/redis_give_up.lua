-- Gives partitions up in good order, and the owner with them.
--
-- ARGV[1]: msgpack of {owner key, positions}
--   positions: {key, field, expected, new}, …   those that are not as expected any more are somebody else's
local owner_key, positions = unpack(cmsgpack.unpack(ARGV[1]))
for _, position in ipairs(positions) do
  if redis.call('HGET', position[1], position[2]) == position[3] then
    redis.call('HSET', position[1], position[2], position[4])
  end
end
return redis.call('DEL', owner_key)
