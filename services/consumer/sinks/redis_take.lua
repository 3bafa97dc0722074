-- Takes partitions for one owner, all of them or none.
--
-- ARGV[1]: msgpack of {token, lease_ms, gone, partitions, tally, begun key}
--   gone: tokens whose process is known to be dead though their key may live still
--   partitions: {key, field, topic id, field of the begun key}, …
--   tally: {key, field of batches acknowledged, field of those that were not}
--   begun key: hash of "<generation with which a topic made anew began> <offset before which entries are early>"
-- Answer: {"held", token of the live owner}, {"refused", what Redis says of a missing right}, or
-- {"taken", acknowledged, unacknowledged, position, begun, …} in the order of `partitions`
-- A position is "<next offset> <generation> <topic id> <owner token>"; the token is "-" when it was given up in good
-- order. Else a batch of that owner was perhaps never acknowledged, and counts as one that was not.
local token, lease_ms, gone, partitions, tally, begun_key = unpack(cmsgpack.unpack(ARGV[1]))

local is_gone = {[token] = true}
for _, dead in ipairs(gone) do is_gone[dead] = true end

-- The one right that only a topic made anew needs, in the middle of a batch: it has to be known before. No entry is 0-1.
local probe = redis.pcall('XDEL', 'trades:', '0-1')
if type(probe) == 'table' and probe.err then
  if string.find(probe.err, 'permission', 1, true) or string.find(probe.err, "can't run", 1, true) then
    return {'refused', probe.err}
  end
  return probe
end

local positions = {}
local begun = {}
local left_behind = false
for i, partition in ipairs(partitions) do
  local key, field, topic_id = partition[1], partition[2], partition[3]
  local found = redis.call('HGET', key, field)
  local next_offset, generation = '-', 1
  if found then
    local stored_offset, stored_generation, stored_topic_id, owner = string.match(found, '^(%S+) (%d+) (%S+) (%S+)$')
    if not owner then
      return redis.error_reply('TAPEWATCH ' .. key .. ' ' .. field .. ' holds no position: ' .. found)
    end
    if not is_gone[owner] and redis.call('GET', 'position:owner:' .. owner) then
      return {'held', owner}
    end
    left_behind = left_behind or (owner ~= '-' and owner ~= token)
    next_offset, generation = stored_offset, tonumber(stored_generation)
    if stored_topic_id ~= topic_id then
      -- Of a log of which nothing was written nothing is early; what was of the one before still is.
      if next_offset ~= '-' then begun[i] = generation + 1 .. ' ' .. next_offset end
      next_offset, generation = '-', generation + 1
    elseif next_offset ~= '-' then
      local early_until = string.match(redis.call('HGET', begun_key, partition[4]) or '', ' (%d+)$')
      if early_until and tonumber(next_offset) >= tonumber(early_until) then begun[i] = '0 0' end
    end
  end
  positions[i] = next_offset .. ' ' .. generation .. ' ' .. topic_id .. ' ' .. token
end

redis.call('SET', 'position:owner:' .. token, '1', 'PX', lease_ms)
for i, partition in ipairs(partitions) do
  redis.call('HSET', partition[1], partition[2], positions[i])
  if begun[i] then redis.call('HSET', begun_key, partition[4], begun[i]) end
end
if left_behind then redis.call('HINCRBY', tally[1], tally[3], 1) end

local answer = {'taken', redis.call('HGET', tally[1], tally[2]) or '0', redis.call('HGET', tally[1], tally[3]) or '0'}
for i, partition in ipairs(partitions) do
  answer[#answer + 1] = positions[i]
  answer[#answer + 1] = string.match(redis.call('HGET', begun_key, partition[4]) or '', '^%d+ %d+$') or '0 0'
end
return answer
