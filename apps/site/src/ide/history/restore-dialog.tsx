import type { Version } from "@repldock/protocol";
import { Button, Dialog } from "@repldock/ui";
import { useState } from "react";
import { useWorkspace } from "../workspace-context.ts";
import { restoreOrTell } from "./actions.ts";
import { wasWhen } from "./words.ts";

/** Says what restoring the whole project does, and does it. */
export function RestoreDialog({ version, onClose }: { version: Version; onClose(): void }) {
	const { history } = useWorkspace();
	const [pending, setPending] = useState(false);

	async function restore(): Promise<void> {
		setPending(true);
		await restoreOrTell(history, version, null);
		onClose();
	}
	return (
		<Dialog
			open
			onClose={() => !pending && onClose()}
			title="Restore the whole project?"
			description={`All files become what they were ${wasWhen(version)}.`}
			footer={
				<>
					<Button disabled={pending} onClick={onClose}>
						Cancel
					</Button>
					<Button variant="primary" data-autofocus pending={pending} onClick={() => void restore()}>
						Restore the project
					</Button>
				</>
			}
		>
			<ul className="ide-history-consequences">
				<li>What is there now becomes a version of its own, “Before a restore”. You can undo it.</li>
				<li>Open files change before the eyes of everybody who has them open.</li>
				<li>Programs that run go on, and find other files. Start them again to be sure.</li>
			</ul>
		</Dialog>
	);
}
