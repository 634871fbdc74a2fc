-- For pandoc's typst: formulas and pictures say in words what they show, and a picture takes the room that is left.

local function quoted(text)
  return '"' .. text:gsub('\\', '\\\\'):gsub('"', '\\"'):gsub('%s+', ' ') .. '"'
end

function Math(math)
  local drawn = pandoc.write(pandoc.Pandoc({ pandoc.Plain({ math }) }), 'typst'):gsub('%s+$', '')
  if drawn:match('#scale%b()%[%a+%]') then -- the name of a symbol, which would be printed as a word
    error('pandoc cannot read \\Bigl and the like before a symbol; write \\left: ' .. math.text)
  end
  local block = math.mathtype == 'DisplayMath' and 'true' or 'false'
  local inside = drawn:match('^%$%s*(.-)%s*%$$') or error('pandoc cannot read the formula ' .. math.text)
  return pandoc.RawInline('typst',
    '#math.equation(block: ' .. block .. ', alt: ' .. quoted(math.text) .. ', $' .. inside .. '$)')
end

local function picture(image)
  return pandoc.RawBlock('typst', '#picture("' .. image.src .. '", ' .. quoted(pandoc.utils.stringify(image.caption)) .. ')')
end

function Figure(figure)
  local found
  figure:walk({ Image = function(image) found = picture(image) end })
  return found
end
