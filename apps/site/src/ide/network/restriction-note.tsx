import type { Project } from "@repldock/protocol";
import { Button, Callout, TextField, toast } from "@repldock/ui";
import { type FormEvent, useState } from "react";
import { describeRate } from "../../components/rates.ts";
import { problemOf } from "../connection/problem.ts";
import { useWorkspace } from "../workspace-context.ts";

type Props = { project: Project; onProject(project: Project): void };

/** What an operator did to the project's network and why, with room for the owner's answer. */
export function RestrictionNote({ project, onProject }: Props) {
	const { site } = useWorkspace();
	const [pending, setPending] = useState(false);
	const { networkRestriction: restriction, networkAnswer: answer } = project;
	if (!restriction) return null;

	async function send(event: FormEvent<HTMLFormElement>) {
		event.preventDefault();
		const form = event.currentTarget;
		const text = String(new FormData(form).get("answer") ?? "").trim();
		if (text === "" || pending) return;
		setPending(true);
		try {
			onProject(await site.answerRestriction(text));
			form.reset();
			toast({ title: "Your operator sees your answer" });
		} catch (error) {
			toast({ title: "The answer was not sent", detail: problemOf(error).detail, tone: "danger" });
		}
		setPending(false);
	}

	const title =
		restriction.kind === "closed"
			? "An operator closed this project's network"
			: `An operator throttled this project to ${describeRate(restriction.bitsPerSecond ?? 0)}`;
	return (
		<Callout tone="warning" title={title}>
			<p className="ide-network-reason">{restriction.reason}</p>
			{answer && <p className="ide-network-answer">You answered: {answer}</p>}
			<form className="ide-network-form" onSubmit={(event) => void send(event)}>
				<TextField
					label="Your answer"
					hideLabel
					name="answer"
					placeholder={answer ? "Answer anew" : "Answer your operator"}
					maxLength={2000}
					autoComplete="off"
				/>
				<Button type="submit" size="small" disabled={pending}>
					Answer
				</Button>
			</form>
		</Callout>
	);
}
