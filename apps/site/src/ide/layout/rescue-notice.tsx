import { Button, Callout } from "@repldock/ui";
import { ExportMenu } from "../transfer/export-menu.tsx";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

/** Shown while the container cannot be started: what is missing, and that nothing is lost. */
export function RescueNotice() {
	const { state, rights, runner } = useWorkspace();
	const workspace = useStore(state);
	const mayRun = useStore(rights) === "edit";
	const { pending } = useStore(runner.state);
	if (workspace?.container !== "failed") return null;
	return (
		<div className="ide-notice">
			<Callout
				tone="warning"
				title="Rescue mode: the container does not start; your files are here"
				action={
					<span className="ide-actions">
						<ExportMenu named />
						{mayRun && (
							<Button size="small" pending={pending === "run"} onClick={() => void runner.run()}>
								Try again
							</Button>
						)}
					</span>
				}
			>
				<p>{workspace.problem?.detail} You can read, change and export them meanwhile.</p>
			</Callout>
		</div>
	);
}
