-- Leaves `nonce` as a `mark`, by which loads are known that began before. Each of them has seen the mark of the `root` and is refused once
-- that has ended, so this one lives as long at least: loads may take longer elsewhere than `span` says. Where the root has none, there is
-- no load to be told.
local left = call('PTTL', root)
if left ~= -2 then
  call('PSETEX', mark, left - span > 0 and left or span, nonce)
end
