import { Button, Callout, Dialog, IconButton, Progress } from "@repldock/ui";
import { X } from "lucide-react";
import { useStore } from "../use-store.ts";
import { showName } from "./paths.ts";
import type { Uploads } from "./uploads.ts";

/** How far an upload is, what went wrong, and the question about files that exist. */
export function UploadPanel({ uploads }: { uploads: Uploads }) {
	const state = useStore(uploads.state);
	if (!state) return null;
	const cancel = (
		<IconButton label="Cancel the upload" size="small" icon={<X aria-hidden />} onClick={uploads.cancel} />
	);
	return (
		<div className="ide-upload">
			{state.problem ? (
				<Callout tone="danger" title="The upload stopped" action={cancel}>
					<p>{state.problem.detail}</p>
				</Callout>
			) : (
				<div className="ide-upload-progress">
					<Progress
						label={`Uploading ${state.files === 1 ? "1 file" : `${state.doneFiles + 1} of ${state.files} files`}`}
						value={state.totalBytes === 0 ? undefined : state.sentBytes / state.totalBytes}
					/>
					{cancel}
				</div>
			)}
			<Dialog
				open={state.conflict !== null}
				onClose={() => uploads.answer("skip")}
				title="Replace the file?"
				description={`“${showName(state.conflict ?? "")}” exists already.`}
				size="small"
				footer={
					<>
						{state.files > 1 && (
							<Button variant="quiet" onClick={() => uploads.answer("skipAll")}>
								Keep all
							</Button>
						)}
						<Button onClick={() => uploads.answer("skip")}>Keep</Button>
						{state.files > 1 && <Button onClick={() => uploads.answer("replaceAll")}>Replace all</Button>}
						<Button variant="primary" data-autofocus onClick={() => uploads.answer("replace")}>
							Replace
						</Button>
					</>
				}
			/>
		</div>
	);
}
