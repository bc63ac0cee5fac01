# Writes a new haiku each time: 5, 7 and 5 syllables.

BEGINNINGS = ["An old silent pond", "The first cold shower", "Light of the full moon", "A lonely train hums"]
MIDDLES = ["a small frog looks up and thinks", "somebody opens a door", "the keyboard clicks in the dark", "two cats wait under the roof"]
ENDINGS = ["then the rain begins", "and nobody speaks", "one more cup of tea", "and the code compiles"]

# A rough count: each group of vowels is a syllable, a silent "e" at the end is not.
def syllables(word)
  word = word.downcase
  count = word.scan(/[aeiouy]+/).size
  count -= 1 if word.end_with?("e") && count > 1
  count
end

haiku = [BEGINNINGS, MIDDLES, ENDINGS].map(&:sample)

puts
haiku.each { |line| puts "    \e[36m#{line}\e[0m" }
puts

counts = haiku.map { |line| line.split.sum { |word| syllables(word) } }
puts "Syllables, as far as Ruby can tell: #{counts.join(", ")}"

# What next? Add your own lines. Which words does `syllables` get wrong?
