import { Button } from "@repldock/ui";
import { Play, Square } from "lucide-react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { isRunning } from "./runner.ts";

/** Run while nothing runs, Stop while something does. Its width stays, so that nothing beside it jumps. */
export function RunButton() {
	const { runner, state, rights } = useWorkspace();
	const { pending } = useStore(runner.state);
	const running = isRunning(useStore(state));
	const mayRun = useStore(rights) === "edit";
	if (running) {
		return (
			<Button
				variant="danger"
				size="small"
				className="ide-run"
				icon={<Square size={13} fill="currentColor" aria-hidden />}
				pending={pending === "stop"}
				disabled={!mayRun}
				onClick={() => void runner.stop()}
				title="Stop (Ctrl+Enter)"
			>
				Stop
			</Button>
		);
	}
	return (
		<Button
			variant="positive"
			size="small"
			className="ide-run"
			icon={<Play size={13} fill="currentColor" aria-hidden />}
			pending={pending === "run"}
			disabled={!mayRun}
			onClick={() => void runner.run()}
			title={mayRun ? "Run (Ctrl+Enter)" : "You may look at this project, but not run it"}
		>
			Run
		</Button>
	);
}
