-- Enters the entry in the index and stores the first of the ARGV, for as many milliseconds as the second says, or for ever if that is '0';
-- unless there is `no_use` in it. What was laid down before is given by its key, which begins with a brace: no value does. Has in `stored`
-- whether it is: 0 also if what was laid down is not there, since it has expired or the server has refused it; and the error if the server
-- refuses. Then what was laid down goes.
local value, stored = ARGV[1], 0
local staged = string.byte(value) == 123
if not no_use and not (staged and call('EXISTS', value) == 0) then
  stored = redis.pcall('ZADD', index, '0', name)
  if stored == 0 or stored == 1 then
    local left, life = call('PTTL', index), tonumber(ARGV[2])
    -- what has been in an index that lives long enough has its end noted, if all that is in there has an end
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
