import { Button, Card, type ThemeChoice, Toaster } from "@repldock/ui";
import { LogOut } from "lucide-react";
import { PasswordCard } from "./password-card.tsx";
import { ProfileCard } from "./profile-card.tsx";
import { signOut } from "./sign-out.ts";
import { ThemeCard } from "./theme-card.tsx";
import { TokensCard } from "./tokens-card.tsx";

export interface AccountProps {
	name: string;
	email: string;
	theme: ThemeChoice;
}

export function Account({ name, email, theme }: AccountProps) {
	return (
		<div className="stack">
			<ProfileCard name={name} email={email} />
			<PasswordCard email={email} />
			<ThemeCard initial={theme} />
			<TokensCard />
			<Card
				title="Sign out"
				description="In this browser."
				action={
					<Button icon={<LogOut aria-hidden />} onClick={() => void signOut()}>
						Sign out
					</Button>
				}
			/>
			<Toaster />
		</div>
	);
}
