-- KEYS: lease. ARGV: what it holds if it is the caller's; for how long it is anybody's from now on, if it is to be. Returns whether it was.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] then
  redis.call('SET', KEYS[1], string.sub(ARGV[1], (string.find(ARGV[1], ';', 1, true))), 'PX', ARGV[2])
  return 1
end
return redis.call('DEL', KEYS[1])
