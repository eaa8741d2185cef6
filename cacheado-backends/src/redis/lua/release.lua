-- KEYS: lease. ARGV: the content of the lease if the caller holds it, and optionally for how long anybody may load from now on.
-- Returns whether the caller held it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] then
  redis.call('SET', KEYS[1], string.sub(ARGV[1], (string.find(ARGV[1], ';', 1, true))), 'PX', ARGV[2])
  return 1
end
return redis.call('DEL', KEYS[1])
