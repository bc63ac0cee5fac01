import type { DesiredPlacement } from "@repldock/protocol";
import type { Logger } from "@repldock/service";
import type { HolderClient } from "./holder/client.ts";
import { reportTo } from "./report-to.ts";

/** What the agent tells the holder in passing, without waiting for it; told again whenever the holder is back. */
export function createHolderNews(holder: HolderClient, siteOrigins: () => string[], log: Logger) {
	/** Forgets terminals and ends the console's run of a container that is gone. */
	function endPrograms(projectId: string): Promise<void> {
		return holder.reset({ projectId }).catch(reportTo(log, "the holder kept programs"));
	}

	function tellOrigins() {
		void holder.setOrigins({ origins: siteOrigins() }).catch(reportTo(log, "the holder was not told origins"));
	}

	function tellRights(placement: DesiredPlacement | undefined) {
		if (!placement) return;
		const { projectId, rightsVersion } = placement;
		void holder.setRights({ projectId, rightsVersion }).catch(reportTo(log, "the holder was not told rights"));
	}

	return { endPrograms, tellOrigins, tellRights };
}
