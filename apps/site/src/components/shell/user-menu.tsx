import { Avatar, Menu, type MenuEntry } from "@repldock/ui";
import { ChevronDown, LogOut, Settings, ShieldCheck } from "lucide-react";
import { signOut } from "../account/sign-out.ts";

export interface UserMenuProps {
	name: string;
	isAdministrator: boolean;
}

export function UserMenu({ name, isAdministrator }: UserMenuProps) {
	const entries: MenuEntry[] = [{ id: "account", label: "Account", icon: <Settings />, href: "/account" }];
	if (isAdministrator) {
		entries.push({ id: "admin", label: "Administration", icon: <ShieldCheck />, href: "/admin" });
	}
	entries.push("separator", { id: "sign-out", label: "Sign out", icon: <LogOut />, onSelect: () => void signOut() });
	return (
		<Menu
			label="Your account"
			align="end"
			entries={entries}
			trigger={(props) => (
				<button type="button" className="user-menu" {...props}>
					<Avatar name={name} decorative />
					<span className="user-menu-name">{name}</span>
					<span className="rd-visually-hidden">: your account</span>
					<ChevronDown size={14} aria-hidden />
				</button>
			)}
		/>
	);
}
