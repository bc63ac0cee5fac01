import type { Route } from "@repldock/protocol";
import type { Lab } from "./lab.ts";
import { appPort } from "./servers.ts";

/** Containers of the lab; project n's app answers at the address of container n modulo this. */
export const containerCount = 1000;

/** Project `app-<index>`, running and public. */
export function route(lab: Lab, index: number): Route {
	return {
		slug: `app-${index}`,
		domains: [],
		projectId: `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`,
		address: lab.containerAddress(index % containerCount),
		ports: [{ external: appPort, local: appPort }],
		mainPort: appPort,
		visibility: "public",
		state: "running",
		wakes: false,
	};
}
