-- Writes one batch and its positions, or nothing. Redis does not roll back: everything is checked before the first
-- write, and the positions move last, so that a batch cut off in its middle is written again and changes nothing.
--
-- ARGV[1]: msgpack of {token, lease_ms, cap, expire_s, positions, symbols, counted}
--   positions: {key, field, expected, new}, …        compared and set as text
--   symbols: {exchange, symbol, trades, ticker, book, displaced}, …
--     trades: false, or {key, entry id, 6 values, entry id, 6 values, …}
--     ticker, book: false, or {key, version, {field, value, …}}
--     displaced: false, or entry ids of those of the trades that were written early and move to their place now
--   counted: false, or {key, field} of the number of batches
-- Answer: {"moved", key, field, found}, or {"written", trades new, held, tickers new, held, books new, held}
local token, lease_ms, cap, expire_s, positions, symbols, counted = unpack(cmsgpack.unpack(ARGV[1]))

for _, position in ipairs(positions) do
  local found = redis.call('HGET', position[1], position[2])
  if found ~= position[3] then
    return {'moved', position[1], position[2], found or ''}
  end
end

redis.call('SET', 'position:owner:' .. token, '1', 'PX', lease_ms)

local new = {0, 0, 0}
local held = {0, 0, 0}

-- Only "equal or smaller" means that the entry is there already; any other refusal is returned as it is.
local function add_trades(trades, displaced)
  local key, last = trades[1], #trades - 6
  local added = 0
  local moved = displaced and redis.call('XDEL', key, unpack(displaced)) or 0
  for i = 2, last, 7 do
    local answer
    if i == last then
      answer = redis.pcall('XADD', key, 'MAXLEN', '~', cap, trades[i], 'trade_id', trades[i + 1], 'price', trades[i + 2],
        'quantity', trades[i + 3], 'side', trades[i + 4], 'traded_at_us', trades[i + 5], 'received_at_us', trades[i + 6])
    else
      answer = redis.pcall('XADD', key, trades[i], 'trade_id', trades[i + 1], 'price', trades[i + 2],
        'quantity', trades[i + 3], 'side', trades[i + 4], 'traded_at_us', trades[i + 5], 'received_at_us', trades[i + 6])
    end
    if type(answer) == 'string' then
      added = added + 1
    elseif string.find(answer.err, 'equal or smaller', 1, true) then
      held[1] = held[1] + 1
    else
      return nil, answer
    end
  end
  redis.call('EXPIRE', key, expire_s)
  new[1] = new[1] + added - moved
  held[1] = held[1] + moved
  return added > 0
end

-- A version is "<time> <sequence> <generation> <offset>"; what is none is older than any.
local function numbers(version)
  local a, b, c, d = string.match(version, '^(%d+) (%d+) (%d+) (%d+)$')
  return {tonumber(a) or -1, tonumber(b) or -1, tonumber(c) or -1, tonumber(d) or -1}
end

local function is_older(version, than)
  local a, b = numbers(version), numbers(than)
  for i = 1, 4 do
    if a[i] ~= b[i] then return a[i] < b[i] end
  end
  return false
end

local function set_newest(kind, hash)
  local key, version, fields = hash[1], hash[2], hash[3]
  local stored = redis.call('HGET', key, 'version')
  if stored and is_older(version, stored) then
    held[kind] = held[kind] + 1
    return false
  end
  redis.call('HSET', key, 'version', version, unpack(fields))
  new[kind] = new[kind] + 1
  return true
end

for _, one in ipairs(symbols) do
  local exchange, symbol, trades, ticker, book, displaced = unpack(one)
  local changed = {}
  if trades then
    local added, refusal = add_trades(trades, displaced)
    if refusal then return refusal end
    if added then changed[#changed + 1] = '"trade"' end
  end
  if ticker and set_newest(2, ticker) then changed[#changed + 1] = '"ticker"' end
  if book and set_newest(3, book) then changed[#changed + 1] = '"orderbook"' end
  if #changed > 0 then
    redis.call('PUBLISH', 'updates:' .. exchange,
      '{"symbol":' .. cjson.encode(symbol) .. ',"changed":[' .. table.concat(changed, ',') .. ']}')
  end
end

for _, position in ipairs(positions) do
  redis.call('HSET', position[1], position[2], position[4])
end
if counted then redis.call('HINCRBY', counted[1], counted[2], 1) end
return {'written', new[1], held[1], new[2], held[2], new[3], held[3]}
