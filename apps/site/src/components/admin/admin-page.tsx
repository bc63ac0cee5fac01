import { Toaster } from "@repldock/ui";
import { AlwaysOnCard } from "./always-on-card.tsx";
import { NodesCard } from "./nodes-card.tsx";
import { RegistrationCard } from "./registration-card.tsx";
import { UsersCard } from "./users-card.tsx";

export function AdminPage({ registrationOpen }: { registrationOpen: boolean }) {
	return (
		<div className="stack">
			<RegistrationCard initiallyOpen={registrationOpen} />
			<NodesCard />
			<AlwaysOnCard />
			<UsersCard />
			<Toaster />
		</div>
	);
}
