import { Cloud, CloudAlert, CloudOff, RefreshCw } from "lucide-react";
import { describeSaveStatus } from "../documents/save-status.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

const icons = { saved: Cloud, saving: RefreshCw, offline: CloudOff, notSaved: CloudAlert };

/** Whether all that was typed is in the files. */
export function SaveBadge() {
	const { documents, connection } = useWorkspace();
	const status = useStore(documents.status);
	const link = useStore(connection.state);
	const first = link.kind === "connecting" && link.attempt === 0 && documents.waiting() === 0;
	const Icon = icons[first ? "saving" : status.kind];
	const text = first ? "Connecting…" : describeSaveStatus(status);
	return (
		<span className="ide-save" data-kind={first ? "saving" : status.kind}>
			<Icon size={15} aria-hidden />
			<span role="status" title={text}>
				{text}
			</span>
			{link.kind === "waiting" && (
				<button type="button" className="ide-link" onClick={connection.wake}>
					Reconnect
				</button>
			)}
		</span>
	);
}
