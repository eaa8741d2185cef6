-- Joins the marks from KEYS[first] to KEYS[last], or to the end, in `seen`. An absent mark is empty.
local seen = call('MGET', unpack(KEYS, first, last))
for i = 1, #seen do
  seen[i] = seen[i] or ''
end
seen = table.concat(seen, ',')
