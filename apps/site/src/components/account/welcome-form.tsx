import { Callout, LinkButton, Spinner } from "@repldock/ui";
import { useEffect, useRef, useState } from "react";
import { callApi, sentenceOf } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { NewAccountFields } from "./new-account-fields.tsx";

/** Makes the first administrator by the operator's one-time link. */
export function FirstAdministratorForm({ token }: { token: string }) {
	const { pending, problem, fieldError, onSubmit } = useSubmit(["name", "email", "password"], async (values) => {
		await callApi("POST", "/api/v1/welcome", {
			token,
			name: textOf(values, "name").trim(),
			email: textOf(values, "email"),
			password: textOf(values, "password"),
		});
		window.location.assign("/projects");
		return "leaving";
	});
	return (
		<form className="form" method="post" onSubmit={onSubmit}>
			{problem && <Callout tone="danger">{problem}</Callout>}
			<NewAccountFields fieldError={fieldError} />
			<SubmitButton size="large" pending={pending}>
				Create administrator account
			</SubmitButton>
		</form>
	);
}

/** Signs the administrator in by a one-time link. By script, so that a preview of the link does not use it up. */
export function LinkSignIn({ token }: { token: string }) {
	const [problem, setProblem] = useState<string>();
	const sent = useRef(false);

	useEffect(() => {
		if (sent.current) return;
		sent.current = true;
		callApi("POST", "/api/v1/welcome", { token }).then(
			() => window.location.replace("/projects"),
			(error: unknown) => setProblem(sentenceOf(error)),
		);
	}, [token]);

	if (problem) {
		return (
			<div className="form">
				<Callout tone="danger">{problem}</Callout>
				<LinkButton href="/sign-in" size="large">
					Sign in with a password
				</LinkButton>
			</div>
		);
	}
	return (
		<p className="signing-in" role="status">
			<Spinner /> Signing you in…
		</p>
	);
}
