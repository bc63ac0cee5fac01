import { parse } from "@repldock/service";

/** Options of the containers' share of the node's network. */
export const networkOptions = {
	shaping: {
		variable: "REPLDOCK_SHAPING",
		fallback: "on",
		parse: parse.oneOf("on", "off"),
		description:
			"Whether containers share the uplink fairly, which needs `ifb` and `sch_htb` of the kernel; off: whoever sends most gets most, and no bytes are counted.",
	},
	uplinkBitsPerSecond: {
		variable: "REPLDOCK_UPLINK",
		fallback: "",
		parse: (text: string) => (text === "" ? undefined : parse.bitRate(text)),
		description:
			"What the node's containers may send in all, for example `1gbit`; a little less than the line carries keeps its queue short. Empty: the network card's speed, or 1 Gbit/s where it tells none. Set it in production; `doctor` suggests the line.",
	},
	shareByOwner: {
		variable: "REPLDOCK_SHARE_BY_OWNER",
		fallback: "on",
		parse: parse.boolean,
		description: "Whether all containers of one owner are one share of the uplink; off: each container is one.",
	},
	ingressPerContainerBitsPerSecond: {
		variable: "REPLDOCK_INGRESS_PER_CONTAINER",
		fallback: "",
		parse: (text: string) => (text === "" ? undefined : parse.bitRate(text)),
		description: "The most that one container receives, for example `100mbit`; empty: no limit.",
	},
} as const;
