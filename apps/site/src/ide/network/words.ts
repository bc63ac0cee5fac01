const reasons: Readonly<Record<string, string>> = {
	closed: "The project's network is closed.",
	"not-allowed": "The address is not on the project's list of allowed domains.",
	udp: "UDP is not let out, but for asking names; programs that can use TCP do so by themselves.",
	port: "This port is closed for everybody, as those for mail and SSH are.",
	"private-address": "The address belongs to a private network.",
	site: "The address is that of this site itself, or of its database.",
	node: "The server itself is not to be reached from inside.",
	neighbour: "Other projects are reached by their web address only.",
	spoofed: "The packet bore an address that is not this project's.",
	connections: "There were too many connections at once.",
	ipv6: "Only IPv4 is let out.",
	questions: "Too many names were asked for within a second.",
};

/** Why packets were refused, for the person whose program sent them. */
export function describeRefusal(reason: string): string {
	return reasons[reason] ?? `The server's rules refuse it (${reason}).`;
}
