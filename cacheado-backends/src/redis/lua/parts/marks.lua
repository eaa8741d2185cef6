-- Has the marks from the KEYS' `first` to `last`, or to the end, in one text; an absent one is empty.
local seen = call('MGET', unpack(KEYS, first, last))
for i = 1, #seen do
  seen[i] = seen[i] or ''
end
seen = table.concat(seen, ',')
