import { Callout, Card, TextField, toast } from "@repldock/ui";
import { callApi } from "../api/client.ts";
import { SubmitButton } from "../forms/submit-button.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";

export function ProfileCard({ name, email }: { name: string; email: string }) {
	const { pending, problem, fieldError, onSubmit } = useSubmit(["name"], async (values) => {
		await callApi("PATCH", "/api/v1/me", { name: textOf(values, "name").trim() });
		toast({ title: "Name saved", tone: "positive" });
		return undefined;
	});
	return (
		<Card title="Profile">
			<form className="form" method="post" onSubmit={onSubmit}>
				{problem && <Callout tone="danger">{problem}</Callout>}
				<TextField
					label="Name"
					name="name"
					defaultValue={name}
					autoComplete="name"
					maxLength={60}
					required
					error={fieldError("name")}
				/>
				<TextField label="Email" value={email} readOnly autoComplete="username" />
				<div className="form-end">
					<SubmitButton pending={pending}>Save name</SubmitButton>
				</div>
			</form>
		</Card>
	);
}
