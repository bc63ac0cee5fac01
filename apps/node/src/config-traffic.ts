import { metricsTokenOption, parse } from "@repldock/service";

/** Ports on which mining pools are known to listen and hardly anything else does. */
const miningPorts = "3333,3334,4444,5555,7777,9999,14433,14444,45560,45700";

function parsePorts(text: string): number[] {
	const port = parse.integer(1, 65_535);
	return parse.list(text).map((item) => port(item));
}

/** Options of what is measured of the containers' network, and what is told to the operator. */
export const trafficOptions = {
	scanDestinations: {
		variable: "REPLDOCK_ALERT_SCAN",
		fallback: "200",
		parse: parse.integer(1, 1_000_000),
		description:
			"From so many addresses and ports on that do not answer one project, or refused packets to where nothing may be reached, within 10 s, a port scan is reported.",
	},
	stormConnections: {
		variable: "REPLDOCK_ALERT_CONNECTIONS",
		fallback: "2000",
		parse: parse.integer(1, 10_000_000),
		description: "From so many connections of one project on, a connection storm is reported.",
	},
	miningPorts: {
		variable: "REPLDOCK_MINING_PORTS",
		fallback: miningPorts,
		parse: parsePorts,
		description:
			"TCP ports, with commas between them, on which mining pools listen; a project that is connected to one is reported.",
	},
	metricsToken: metricsTokenOption,
};
