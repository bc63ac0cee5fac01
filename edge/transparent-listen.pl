#!/usr/bin/perl
# Runs NGINX with listening sockets that answer for every port (docs/decisions/0006-transparent-socket.md):
#   transparent-listen.pl PORT[,PORT…] /usr/sbin/nginx ARGUMENT…
# NGINX takes sockets over that its environment names, as it does from its predecessor in an upgrade. So nobody but this
# program, before any worker exists, needs the right to set IP_TRANSPARENT.
use strict;
use warnings;
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use Socket qw(IPPROTO_IP INADDR_ANY PF_INET SOCK_STREAM SOL_SOCKET SO_REUSEADDR pack_sockaddr_in);

# From linux/in.h; Perl's Socket does not name it.
use constant IP_TRANSPARENT => 19;
# As in nginx.conf; the kernel cuts it to net.core.somaxconn.
use constant BACKLOG => 4096;

# Descriptors up to this number stay open in NGINX.
$^F = 255;

my ($ports, @program) = @ARGV;
die "Usage: transparent-listen.pl PORT[,PORT] PROGRAM ARGUMENT...\n" if !@program || $ports !~ /^\d+(?:,\d+)*\z/;

my @sockets;
for my $port (split /,/, $ports) {
	socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
	setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1) or die "SO_REUSEADDR: $!\n";
	setsockopt($socket, IPPROTO_IP, IP_TRANSPARENT, 1) or die "IP_TRANSPARENT: $!\n";
	bind($socket, pack_sockaddr_in($port, INADDR_ANY)) or die "port $port: $!\n";
	# NGINX does not set it on sockets that it takes over, and a worker would wait in accept.
	fcntl($socket, F_SETFL, fcntl($socket, F_GETFL, 0) | O_NONBLOCK) or die "O_NONBLOCK: $!\n";
	listen($socket, BACKLOG) or die "listen on port $port: $!\n";
	push @sockets, $socket;
}
$ENV{NGINX} = join "", map { fileno($_) . ";" } @sockets;
exec { $program[0] } @program or die "$program[0]: $!\n";
