/**
 * What runs in each container, in Perl, which the small image has. It takes one line on port 9000, connects, answers with a
 * line when all its connections stand, and from the next byte on does as it was told until the connection ends: `flood
 * <address> <port> <number> <connections>` sends the number and then zeros for ever; `echo <address> <port>` sends back what
 * it gets. So its own start, which takes long where hundreds start at once, is not measured with the network.
 */
export const containerPort = 9000;

export const containerProgram = `
use strict; use IO::Socket::INET; use POSIX ":sys_wait_h";
$SIG{CHLD} = sub { 1 while waitpid(-1, WNOHANG) > 0 };
my $server = IO::Socket::INET->new(LocalPort => ${containerPort}, Listen => 16, ReuseAddr => 1) or die;
$| = 1; print "listening\\n";
while (1) {
	my $control = $server->accept or next;
	next if fork;
	$SIG{CHLD} = "DEFAULT"; $SIG{TERM} = "DEFAULT"; close $server;
	my ($what, $address, $port, $number, $connections) = split " ", scalar <$control>;
	my @children;
	pipe my $gate, my $opener; pipe my $heard, my $stands;
	for (1 .. ($connections || 1)) {
		my $child = fork;
		if (!$child) {
			close $opener;
			my $socket = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) or exit 1;
			syswrite $stands, "."; close $stands; sysread $gate, my $begin, 1;
			if ($what eq "echo") { while (sysread $socket, my $part, 4096) { syswrite $socket, $part } exit }
			my $block = "0" x 16384;
			syswrite $socket, sprintf "%08d", $number;
			1 while syswrite $socket, $block;
			exit;
		}
		push @children, $child;
	}
	close $stands;
	for (@children) { sysread $heard, my $one, 1 }
	syswrite $control, "ready\n"; sysread $control, my $begin, 1; close $opener;
	sysread $control, my $end, 1;
	kill "KILL", @children; waitpid $_, 0 for @children;
	exit;
}`;
