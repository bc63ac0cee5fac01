import { Toaster } from "@repldock/ui";
import { NodesCard } from "./nodes-card.tsx";
import { RegistrationCard } from "./registration-card.tsx";
import { UsersCard } from "./users-card.tsx";

export function AdminPage({ registrationOpen }: { registrationOpen: boolean }) {
	return (
		<div className="stack">
			<RegistrationCard initiallyOpen={registrationOpen} />
			<NodesCard />
			<UsersCard />
			<Toaster />
		</div>
	);
}
