import { Callout } from "@repldock/ui";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

/** From here on there is not much left: a warning comes before the first write that fails. */
const diskWarnsFrom = 0.9;

/** Says that the project's disk is nearly or entirely full, what that does to edits, and what helps. */
export function DiskNotice() {
	const { state, documents } = useWorkspace();
	const disk = useStore(state)?.disk;
	const status = useStore(documents.status);
	const isFull = status.kind === "notSaved" && status.problem.code === "quota_exceeded";
	if (isFull) {
		return (
			<div className="ide-notice">
				<Callout tone="danger" title="The project's disk is full: your edits are kept, but not in the files yet">
					<p>Delete files that you no longer need. Your edits are saved as soon as there is room.</p>
				</Callout>
			</div>
		);
	}
	if (!disk || disk.usedBytes < disk.limitBytes * diskWarnsFrom) return null;
	const percent = Math.min(100, Math.floor((disk.usedBytes / disk.limitBytes) * 100));
	return (
		<div className="ide-notice">
			<Callout tone="warning" title={`${percent} % of the project's disk is in use`}>
				<p>Delete what you no longer need before programs fail to write.</p>
			</Callout>
		</div>
	);
}
