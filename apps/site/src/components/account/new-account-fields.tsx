import { TextField } from "@repldock/ui";

/** Shortest password the server takes. */
export const passwordMinLength = 8;

/** Name, email and a new password. */
export function NewAccountFields({ fieldError }: { fieldError: (name: string) => string | undefined }) {
	return (
		<>
			<TextField
				label="Name"
				name="name"
				autoComplete="name"
				maxLength={60}
				required
				autoFocus
				hint="Shown to people you work with."
				error={fieldError("name")}
			/>
			<TextField label="Email" name="email" type="email" autoComplete="username" required error={fieldError("email")} />
			<TextField
				label="Password"
				name="password"
				type="password"
				autoComplete="new-password"
				minLength={passwordMinLength}
				maxLength={128}
				required
				hint={`At least ${passwordMinLength} characters; a few words are fine.`}
				error={fieldError("password")}
			/>
		</>
	);
}
