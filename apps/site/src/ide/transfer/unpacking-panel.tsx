import { Callout, IconButton, Progress } from "@repldock/ui";
import { X } from "lucide-react";
import { showName } from "../files/paths.ts";
import { useStore } from "../use-store.ts";
import type { Unpacking } from "./unpacking.ts";

/** How far an archive is, or why it was refused. */
export function UnpackingPanel({ unpacking }: { unpacking: Unpacking }) {
	const state = useStore(unpacking.state);
	if (!state) return null;
	const cancel = <IconButton label="Cancel" size="small" icon={<X aria-hidden />} onClick={unpacking.cancel} />;
	const name = showName(state.name);
	return (
		<div className="ide-upload">
			{state.problem ? (
				<Callout tone="danger" title={`“${name}” was not unpacked`} action={cancel}>
					<p>{state.problem.detail}</p>
				</Callout>
			) : (
				<div className="ide-upload-progress">
					<Progress
						label={`${state.sent === null ? "Unpacking" : "Uploading"} ${name}`}
						value={state.sent ?? undefined}
					/>
					{cancel}
				</div>
			)}
		</div>
	);
}
