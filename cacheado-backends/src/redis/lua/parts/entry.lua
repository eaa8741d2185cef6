-- Has what the first KEYS are, and the entry's name in its bucket: what follows the braces and a colon, as `index` follows them in its key.
local call, index, deadlines, entry = redis.call, KEYS[1], KEYS[2], KEYS[3]
local name = string.sub(entry, #index - 3)
