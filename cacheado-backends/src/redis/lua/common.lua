-- What the scripts share. A script is sent with this in front, and says in its own first lines what its KEYS and ARGV are.
-- What a script costs is its commands and its arguments, and after that the numbers that are given as such: they are written out with 17
-- digits. So a number that is a text already stays one.

-- The marks from the KEYS' `first` on, in one text; an absent one is empty.
local function marks(first)
  local found = redis.call('MGET', unpack(KEYS, first))
  for i = 1, #found do
    found[i] = found[i] or ''
  end
  return table.concat(found, ',')
end

-- Leaves a mark by which loads are known that began before. Each of them has seen the root's mark and is refused once that has ended, so
-- this one lives as long at least: loads may take longer elsewhere than `span` says.
local function leave(root, mark, nonce, span)
  local left = redis.call('PTTL', root)
  redis.call('SET', mark, nonce, 'PX', left - span > 0 and left or span)
end

-- This server's clock in milliseconds.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Takes names of entries that have expired out of the index: a few at a time, so that what is written pays for what has gone. One that was
-- stored again since its end was noted has it noted now.
local function tidy(index, deadlines, time)
  local due = redis.call('ZRANGEBYSCORE', deadlines, '-inf', string.format('%d', time), 'LIMIT', '0', '16')
  if #due == 0 then
    return
  end
  local prefix, gone, entries = string.sub(index, 1, -6) .. ':', {}, {}
  for _, name in ipairs(due) do
    local left = redis.pcall('PTTL', prefix .. name)
    if type(left) == 'table' then
      -- the slot is on its way to another node, and this is there by now
      break
    elseif left == -2 then
      gone[#gone + 1] = name
      entries[#entries + 1] = prefix .. name
    else
      redis.call('ZADD', deadlines, time + left + 1, name)
    end
  end
  -- an entry of a slot that is on its way here is missing as well, of which nothing but a command on several keys tells
  if #gone > 0 and type(redis.pcall('EXISTS', deadlines, unpack(entries))) ~= 'table' then
    redis.call('ZREM', index, unpack(gone))
    redis.call('ZREM', deadlines, unpack(gone))
  end
end

-- Gives an index that stayed for entries without an end the last end that is noted, once none of them is left: it may be that nothing is
-- stored any more, which would do so. One that is on its way to another node waits for that.
local function let_end(index, deadlines)
  if redis.pcall('PTTL', index) ~= -1 or redis.call('ZCARD', index) ~= redis.pcall('ZCARD', deadlines) then
    return
  end
  local last = redis.call('ZREVRANGE', deadlines, '0', '0', 'WITHSCORES')[2]
  redis.call('PEXPIREAT', deadlines, last)
  redis.call('PEXPIREAT', index, last)
end

-- Enters `name`, which lives for `life` milliseconds, or for ever if that is 0. What has an end has one among the deadlines, which may be
-- that of an earlier value. Both live as long as the last entry, and an eighth longer, so that they are seldom extended, and for ever with
-- one that has no end. Returns the error if the server refuses.
local function enter(index, deadlines, name, life)
  local added = redis.pcall('ZADD', index, '0', name)
  if type(added) == 'table' then
    return added
  end
  local left = redis.call('PTTL', index)
  if life == 0 then
    redis.call('ZREM', deadlines, name)
    if left >= 0 then
      redis.call('PERSIST', index)
      -- what was stored again may end later than is noted, but not later than this, which no entry's end takes out
      if redis.call('EXISTS', deadlines) == 1 then
        redis.call('ZADD', index, '0', '')
        redis.call('ZADD', deadlines, string.format('%d', now() + left), '')
        redis.call('PERSIST', deadlines)
      end
    end
    return nil
  end
  -- where all has an end, so has this
  if added == 0 and left >= life then
    return nil
  end
  local time = now()
  -- before what has expired is taken out, which it may have been itself until now
  redis.call('ZADD', deadlines, string.format('%d', time + life), name)
  tidy(index, deadlines, time)
  if left >= life or (left < 0 and redis.call('ZCARD', index) ~= redis.call('ZCARD', deadlines)) then
    return nil
  end
  local span = redis.call('PTTL', deadlines)
  if span < life then
    if span < 0 then
      -- it has just begun, or there was an entry without an end
      span = redis.call('ZREVRANGE', deadlines, '0', '0', 'WITHSCORES')[2] - time
    end
    span = math.max(span, life)
    span = span + math.floor(span / 8) + 2000
    redis.call('PEXPIRE', deadlines, span)
  end
  redis.call('PEXPIRE', index, span)
  return nil
end

-- Whether `value` is the key under which the value was laid down, which begins with a brace: no value does.
local function is_staged(value)
  return string.byte(value) == 123
end

-- Whether the value is there: one that was laid down may have expired, or the server may have refused it.
local function is_there(value)
  return not is_staged(value) or redis.call('EXISTS', value) == 1
end

-- Lets go of what was laid down and is not stored.
local function discard(value)
  if is_staged(value) then
    redis.call('UNLINK', value)
  end
end

-- Stores the value, which is there, of an entry that is in the index.
local function store(entry, value, life)
  if is_staged(value) then
    redis.call('RENAME', value, entry)
    if life == '0' then
      redis.call('PERSIST', entry)
    else
      redis.call('PEXPIRE', entry, life)
    end
  elseif life == '0' then
    redis.call('SET', entry, value)
  else
    redis.call('SET', entry, value, 'PX', life)
  end
end
