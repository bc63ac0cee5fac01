import { Callout, Card, Checkbox, TextField, toast } from "@repldock/ui";
import { callApi } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { passwordMinLength } from "./new-account-fields.tsx";

export function PasswordCard({ email }: { email: string }) {
	const { pending, problem, fieldError, onSubmit } = useSubmit(
		["currentPassword", "newPassword"],
		async (values, form) => {
			await callApi("POST", "/api/auth/change-password", {
				currentPassword: textOf(values, "currentPassword"),
				newPassword: textOf(values, "newPassword"),
				revokeOtherSessions: values.has("revokeOtherSessions"),
			});
			form.reset();
			toast({ title: "Password changed", tone: "positive" });
			return undefined;
		},
	);
	return (
		<Card title="Password">
			<form className="form" method="post" onSubmit={onSubmit}>
				{problem && <Callout tone="danger">{problem}</Callout>}
				{/* Tells password managers whose password this is. */}
				<input type="hidden" name="username" autoComplete="username" value={email} readOnly />
				<TextField
					label="Current password"
					name="currentPassword"
					type="password"
					autoComplete="current-password"
					required
					error={fieldError("currentPassword")}
				/>
				<TextField
					label="New password"
					name="newPassword"
					type="password"
					autoComplete="new-password"
					minLength={passwordMinLength}
					maxLength={128}
					required
					hint={`At least ${passwordMinLength} characters.`}
					error={fieldError("newPassword")}
				/>
				<Checkbox label="Sign out everywhere else" name="revokeOtherSessions" defaultChecked />
				<div className="form-end">
					<SubmitButton pending={pending}>Change password</SubmitButton>
				</div>
			</form>
		</Card>
	);
}
