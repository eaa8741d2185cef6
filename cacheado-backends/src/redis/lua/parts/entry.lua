-- Names the first KEYS, and sets `name` to the entry's name in its bucket: what follows the braces and a colon in the entry's key,
-- where the index's key has `index`.
local call, index, deadlines, entry = redis.call, KEYS[1], KEYS[2], KEYS[3]
local name = string.sub(entry, #index - 3)
