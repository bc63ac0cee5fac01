# Counts the words of a text and shows the most frequent ones.
use strict;
use warnings;

my %count;
while (my $line = <DATA>) {
    $count{lc $1}++ while $line =~ /([a-z']+)/gi;
}

my @by_frequency = sort { $count{$b} <=> $count{$a} or $a cmp $b } keys %count;

print "The most frequent words:\n\n";
for my $word (@by_frequency[0 .. 7]) {
    printf "%10s  %s %d\n", $word, '*' x $count{$word}, $count{$word};
}
printf "\n%d different words.\n", scalar @by_frequency;

# What next?
#  - Paste another text below the line __DATA__.
#  - Count letters instead: change the pattern to /([a-z])/gi

__DATA__
How much wood would a woodchuck chuck
if a woodchuck could chuck wood?
A woodchuck would chuck all the wood he could chuck
if a woodchuck could chuck wood.
