import { Callout } from "@repldock/ui";
import { callApi } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { NewAccountFields } from "./new-account-fields.tsx";

export function SignUpForm({ next }: { next: string }) {
	const { pending, problem, fieldError, onSubmit } = useSubmit(["name", "email", "password"], async (values) => {
		await callApi("POST", "/api/auth/sign-up/email", {
			name: textOf(values, "name").trim(),
			email: textOf(values, "email"),
			password: textOf(values, "password"),
		});
		window.location.assign(next);
		return "leaving";
	});
	return (
		<form className="form" method="post" onSubmit={onSubmit}>
			{problem && <Callout tone="danger">{problem}</Callout>}
			<NewAccountFields fieldError={fieldError} />
			<SubmitButton size="large" pending={pending}>
				Create account
			</SubmitButton>
		</form>
	);
}
