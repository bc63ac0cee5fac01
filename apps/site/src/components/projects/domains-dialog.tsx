import type { Project } from "@repldock/protocol";
import { Button, Callout, Dialog, Skeleton, TextField } from "@repldock/ui";
import { useState } from "react";
import { sentenceOf } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { DomainItem } from "./domain-item.tsx";
import { useDomains } from "./use-domains.ts";

/** Shows a project under names of people's own: adds them, tells what to set in DNS, looks whether it is there. */
export function DomainsDialog({ project, onClose }: { project: Project; onClose: () => void }) {
	const domains = useDomains(project.id);
	const [failure, setFailure] = useState<string>();
	const { pending, problem, fieldError, onSubmit } = useSubmit(["name"], async (values, form) => {
		await domains.add(textOf(values, "name").trim());
		form.reset();
		return undefined;
	});

	/** Said in the dialog: a toast would be behind it. */
	async function attempt(action: () => Promise<void>) {
		setFailure(undefined);
		await action().catch((error: unknown) => setFailure(sentenceOf(error)));
	}

	const trouble = problem ?? failure ?? domains.problem;
	return (
		<Dialog
			open
			onClose={onClose}
			size="large"
			title="Domains"
			description={`Show ${project.name} under a name of your own, beside ${new URL(project.url).host}.`}
			footer={<Button onClick={onClose}>Done</Button>}
		>
			<div className="domains">
				{trouble && <Callout tone="danger">{trouble}</Callout>}
				<form className="domains-add" method="post" onSubmit={onSubmit}>
					<TextField
						label="Domain"
						name="name"
						placeholder="www.example.com"
						required
						maxLength={300}
						autoComplete="off"
						autoCapitalize="none"
						spellCheck={false}
						inputMode="url"
						error={fieldError("name")}
						data-autofocus
					/>
					<SubmitButton pending={pending}>Add domain</SubmitButton>
				</form>
				{!domains.items && !domains.problem && <Skeleton height="3.5rem" />}
				{domains.items?.length === 0 && (
					<p className="quiet">No domain yet. After you add one, this page shows the record that proves it is yours.</p>
				)}
				{domains.items && domains.items.length > 0 && (
					<ul className="domains-list" aria-label="Domains">
						{domains.items.map((domain) => (
							<DomainItem
								key={domain.id}
								domain={domain}
								onVerify={() => attempt(() => domains.verify(domain))}
								onRemove={() => attempt(() => domains.remove(domain))}
							/>
						))}
					</ul>
				)}
			</div>
		</Dialog>
	);
}
