-- Enters the entry in the index and stores ARGV[1] for ARGV[2] milliseconds, or without an end if that is '0'. Does nothing if
-- `no_use` is set. A staged value is given by its key, which begins with a brace, as no value does. Sets `stored` to 1 if the value is
-- stored; to 0 if not, also if the staged value is missing because it expired or the server refused it; and to the error if the server
-- refuses. A staged value that was not stored is removed.
local value, stored = ARGV[1], 0
local staged = string.byte(value) == 123
if not no_use and not (staged and call('EXISTS', value) == 0) then
  stored = redis.pcall('ZADD', index, '0', name)
  if stored == 0 or stored == 1 then
    local left, life = call('PTTL', index), tonumber(ARGV[2])
    -- No new deadline if the entry was in an index that outlives it: an index with a TTL has a deadline for each entry.
    if stored == 1 or life == 0 or left < life then
      --: note
    end
    if staged then
      call('RENAME', value, entry)
      if life == 0 then
        call('PERSIST', entry)
      else
        call('PEXPIRE', entry, ARGV[2])
      end
    elseif life == 0 then
      call('SET', entry, value)
    else
      call('PSETEX', entry, ARGV[2], value)
    end
    stored, staged = 1, false
  end
end
if staged then
  call('UNLINK', value)
end
