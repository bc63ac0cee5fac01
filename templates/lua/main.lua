-- Draws the Sierpinski triangle, line by line, from one simple rule.

local height = 32 -- Try 64, then a number that is no power of two.

-- A cell is filled when exactly one of the two cells above it is.
local function next_line(line)
  local following = {}
  for i = 1, #line + 1 do
    local left, right = line[i - 1] or 0, line[i] or 0
    following[i] = (left + right) % 2
  end
  return following
end

local line = { 1 }
local filled = 0

for row = 1, height do
  local cells = {}
  for i, cell in ipairs(line) do
    cells[i] = cell == 1 and "▲ " or "  "
    filled = filled + cell
  end
  print("\27[33m" .. string.rep(" ", height - row) .. table.concat(cells) .. "\27[0m")
  line = next_line(line)
end

print(("\n%d triangles in %d lines."):format(filled, height))

-- What next? Use `% 3` in next_line and draw the numbers 1 and 2 differently.
