import { Avatar, Badge } from "@repldock/ui";
import { ago } from "../time.ts";
import { ListCard } from "./list-card.tsx";
import { useList } from "./use-list.ts";

interface UserAnswer {
	id: string;
	name: string;
	email: string;
	role: "admin" | "user";
	createdAt: string;
	projects: number;
}

export function UsersCard() {
	const list = useList<UserAnswer>("/api/v1/users");
	return (
		<ListCard
			title="People"
			description="Everybody with an account here."
			empty="Nobody has an account yet."
			columns={["Name", "Role", "Projects", "Joined"]}
			list={list}
			row={(user) => ({
				key: user.id,
				cells: {
					Name: (
						<div className="person">
							<Avatar name={user.name} decorative />
							<div>
								<strong>{user.name}</strong>
								<br />
								<span className="quiet">{user.email}</span>
							</div>
						</div>
					),
					Role: user.role === "admin" ? <Badge tone="accent">Administrator</Badge> : <Badge>Member</Badge>,
					Projects: user.projects,
					Joined: <span className="quiet">{ago(user.createdAt)}</span>,
				},
			})}
		/>
	);
}
