import { Button, Callout } from "@repldock/ui";
import { useState } from "react";
import { callApi, sentenceOf } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { useSubmit } from "../forms/use-submit.ts";

export interface VisitConsentProps {
	visit: { host: string; to: string; state: string };
	ownerName: string;
	userName: string;
}

/** Asks before somebody else's app learns who the person is. */
export function VisitConsent({ visit, ownerName, userName }: VisitConsentProps) {
	const { pending, problem, onSubmit } = useSubmit([], async () => {
		const { url } = await callApi<{ url: string }>("POST", "/api/v1/visits", visit);
		window.location.replace(url);
		return "leaving";
	});
	return (
		<form className="form" method="post" onSubmit={onSubmit}>
			{problem && <Callout tone="danger">{problem}</Callout>}
			<p className="visit-host">{visit.host}</p>
			<p className="quiet">
				This app belongs to <strong>{ownerName}</strong>. It will learn your name, {userName}, and your user id, and
				nothing else of your account.
			</p>
			<SubmitButton size="large" pending={pending}>
				Continue as {userName}
			</SubmitButton>
		</form>
	);
}

/** Signs out and lets another person sign in, who then comes back here. */
export function SwitchAccount({ again, prominent = false }: { again: string; prominent?: boolean }) {
	const [pending, setPending] = useState(false);
	const [problem, setProblem] = useState<string>();

	async function switchAccount() {
		setPending(true);
		try {
			await callApi("POST", "/api/auth/sign-out", {});
			window.location.assign(`/sign-in?next=${encodeURIComponent(again)}`);
		} catch (error) {
			setProblem(sentenceOf(error));
			setPending(false);
		}
	}

	if (problem) return <Callout tone="danger">{problem}</Callout>;
	return prominent ? (
		<Button variant="primary" size="large" disabled={pending} onClick={() => void switchAccount()}>
			Use another account
		</Button>
	) : (
		<button type="button" className="link-like" disabled={pending} onClick={() => void switchAccount()}>
			Use another account
		</button>
	);
}
