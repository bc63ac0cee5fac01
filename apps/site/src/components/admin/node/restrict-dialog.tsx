import { SegmentedControl, TextField, toast } from "@repldock/ui";
import { useState } from "react";
import { callApi } from "../../api/client.ts";
import { FormDialog } from "../../forms/form-dialog.tsx";
import { textOf, useSubmit } from "../../forms/use-submit.ts";
import type { NetworkedProject } from "./answers.ts";

type Kind = "throttled" | "closed";

export interface RestrictDialogProps {
	project: Pick<NetworkedProject, "id" | "name">;
	kind: Kind;
	onClose: () => void;
	onChanged: () => void;
}

/** Asks how far and why a project's network is restricted. */
export function RestrictDialog({ project, kind: firstKind, onClose, onChanged }: RestrictDialogProps) {
	const [kind, setKind] = useState<Kind>(firstKind);
	const submission = useSubmit(["reason", "bitsPerSecond"], async (values) => {
		await callApi("POST", `/api/v1/admin/projects/${project.id}/network-restriction`, {
			kind,
			bitsPerSecond: kind === "throttled" ? Math.round(Number(textOf(values, "bitsPerSecond")) * 1000) : null,
			reason: textOf(values, "reason"),
		});
		toast({ title: kind === "closed" ? `${project.name} is closed` : `${project.name} is throttled` });
		onChanged();
		onClose();
		return undefined;
	});
	return (
		<FormDialog
			onClose={onClose}
			title={`Restrict the network of ${project.name}`}
			description="It acts at once, also on connections that are open. The owner reads your reason and can answer."
			submission={submission}
			submit={kind === "closed" ? "Close the network" : "Throttle"}
		>
			<SegmentedControl
				label="What to do"
				options={[
					{ value: "throttled", label: "Throttle" },
					{ value: "closed", label: "Close" },
				]}
				value={kind}
				onChange={setKind}
			/>
			{kind === "throttled" && (
				<TextField
					label="It may send at most"
					name="bitsPerSecond"
					type="number"
					min={8}
					max={10_000_000}
					defaultValue="1000"
					after="kbit/s"
					required
					error={submission.fieldError("bitsPerSecond")}
				/>
			)}
			<TextField
				label="Reason"
				name="reason"
				maxLength={500}
				required
				autoComplete="off"
				hint="Say what you saw, and what is to change."
				error={submission.fieldError("reason")}
				data-autofocus
			/>
		</FormDialog>
	);
}
