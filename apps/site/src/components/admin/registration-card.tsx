import { Card, Switch, toast } from "@repldock/ui";
import { useState } from "react";
import type { SiteSettings } from "../api/answers.ts";
import { callApi, sentenceOf } from "../api/client.ts";

export function RegistrationCard({ initiallyOpen }: { initiallyOpen: boolean }) {
	const [open, setOpen] = useState(initiallyOpen);
	const [pending, setPending] = useState(false);

	async function change(next: boolean) {
		if (pending) return;
		setOpen(next);
		setPending(true);
		try {
			const settings = await callApi<SiteSettings>("PATCH", "/api/v1/settings", {
				registration: next ? "open" : "closed",
			});
			setOpen(settings.registration === "open");
			toast({ title: settings.registration === "open" ? "Sign-up is open" : "Sign-up is closed" });
		} catch (error) {
			setOpen(!next);
			toast({ title: "The setting was not changed", detail: sentenceOf(error), tone: "danger" });
		}
		setPending(false);
	}

	return (
		<Card title="Registration">
			<Switch
				label="Anyone can sign up"
				hint="When it is off, only people who have an account already can come in."
				checked={open}
				aria-busy={pending}
				onChange={(event) => void change(event.currentTarget.checked)}
			/>
		</Card>
	);
}
