import { Callout, TextField } from "@repldock/ui";
import { callApi } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";

export function SignInForm({ next }: { next: string }) {
	const { pending, problem, fieldError, onSubmit } = useSubmit(["email", "password"], async (values) => {
		await callApi("POST", "/api/auth/sign-in/email", {
			email: textOf(values, "email"),
			password: textOf(values, "password"),
		});
		window.location.assign(next);
		return "leaving";
	});
	return (
		<form className="form" method="post" onSubmit={onSubmit}>
			{problem && <Callout tone="danger">{problem}</Callout>}
			<TextField
				label="Email"
				name="email"
				type="email"
				autoComplete="username"
				required
				autoFocus
				error={fieldError("email")}
			/>
			<TextField
				label="Password"
				name="password"
				type="password"
				autoComplete="current-password"
				required
				error={fieldError("password")}
			/>
			<SubmitButton size="large" pending={pending}>
				Sign in
			</SubmitButton>
		</form>
	);
}
