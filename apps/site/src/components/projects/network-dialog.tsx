import type { NetworkMode, NetworkSettings, Project } from "@repldock/protocol";
import { Button, Callout, Dialog, IconButton, SegmentedControl, Skeleton, TextField } from "@repldock/ui";
import { Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { callApi, sentenceOf } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";

const modes = [
	{ value: "open", label: "Open" },
	{ value: "allow-list", label: "Allow-list" },
	{ value: "closed", label: "Closed" },
] as const;

const sentences: Record<NetworkMode, string> = {
	open: "Programs reach all web services on the internet. Mail, SSH and UDP stay closed for everybody.",
	"allow-list":
		"Programs reach the domains below and nothing else. Write *.example.org for all names below example.org.",
	closed: "Programs reach nothing, as in an exam. You and visitors still reach the project, and terminals work.",
};

/** What a project's programs may reach; a change is in force at once, while they run. */
export function NetworkDialog({ project, onClose }: { project: Project; onClose: () => void }) {
	const path = `/api/v1/projects/${project.id}/network`;
	const [settings, setSettings] = useState<NetworkSettings>();
	const [failure, setFailure] = useState<string>();

	useEffect(() => {
		const abort = new AbortController();
		callApi<NetworkSettings>("GET", path, undefined, abort.signal).then(setSettings, (error: unknown) => {
			if (!abort.signal.aborted) setFailure(sentenceOf(error));
		});
		return () => abort.abort();
	}, [path]);

	async function change(values: Partial<Pick<NetworkSettings, "mode" | "allowedDomains">>) {
		setSettings(await callApi<NetworkSettings>("PATCH", path, values));
		setFailure(undefined);
	}

	/** Shown at once, and taken back when it fails. That is said in the dialog: a toast would be behind it. */
	function attempt(values: Parameters<typeof change>[0]) {
		const before = settings;
		setSettings(before && { ...before, ...values });
		change(values).catch((error: unknown) => {
			setSettings(before);
			setFailure(sentenceOf(error));
		});
	}

	const { pending, problem, fieldError, onSubmit } = useSubmit(["allowedDomains"], async (values, form) => {
		const domain = textOf(values, "allowedDomains").trim().toLowerCase();
		await change({ allowedDomains: [...(settings?.allowedDomains ?? []), domain] });
		form.reset();
		return undefined;
	});

	const trouble = problem ?? failure;
	return (
		<Dialog
			open
			onClose={onClose}
			size="large"
			title="Network"
			description={`What the programs of ${project.name} may reach.`}
			footer={<Button onClick={onClose}>Done</Button>}
		>
			<div className="domains">
				{trouble && <Callout tone="danger">{trouble}</Callout>}
				{settings?.restriction && (
					<Callout tone="warning">
						An operator has {settings.restriction.kind === "closed" ? "closed" : "throttled"} this project’s network:{" "}
						{settings.restriction.reason}
					</Callout>
				)}
				{!settings && !failure && <Skeleton height="3.5rem" />}
				{settings && (
					<div className="network-choice">
						<SegmentedControl
							label="Mode"
							options={modes}
							value={settings.mode}
							onChange={(mode) => attempt({ mode })}
						/>
						<p className="quiet" role="status">
							{sentences[settings.mode]}
						</p>
					</div>
				)}
				{settings?.mode === "allow-list" && (
					<>
						<form className="network-add" method="post" onSubmit={onSubmit}>
							<TextField
								label="Allowed domain"
								name="allowedDomains"
								placeholder="*.example.org"
								required
								maxLength={253}
								autoComplete="off"
								autoCapitalize="none"
								spellCheck={false}
								inputMode="url"
								error={fieldError("allowedDomains")}
							/>
							<SubmitButton pending={pending}>Allow</SubmitButton>
						</form>
						{settings.allowedDomains.length === 0 ? (
							<p className="quiet">No domain yet: until you allow one, programs reach nothing.</p>
						) : (
							<ul className="domains-list" aria-label="Allowed domains">
								{settings.allowedDomains.map((domain) => (
									<li className="network-domain" key={domain}>
										<span>{domain}</span>
										<IconButton
											label={`Remove ${domain}`}
											size="small"
											icon={<Trash2 aria-hidden />}
											onClick={() =>
												attempt({ allowedDomains: settings.allowedDomains.filter((other) => other !== domain) })
											}
										/>
									</li>
								))}
							</ul>
						)}
					</>
				)}
			</div>
		</Dialog>
	);
}
