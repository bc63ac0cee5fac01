import type { Domain, DomainState } from "@repldock/protocol";
import { Badge, type BadgeProps, Button, CopyButton, IconButton } from "@repldock/ui";
import { CircleAlert, CircleCheck, Clock, ExternalLink, RotateCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { ago } from "../time.ts";

const stateLook: Record<DomainState, { tone: BadgeProps["tone"]; label: string; icon: BadgeProps["icon"] }> = {
	waiting: { tone: "warning", label: "Waiting for DNS", icon: <Clock aria-hidden /> },
	ready: { tone: "positive", label: "Ready", icon: <CircleCheck aria-hidden /> },
	losing: { tone: "danger", label: "Proof is gone", icon: <CircleAlert aria-hidden /> },
};

export interface DomainItemProps {
	domain: Domain;
	/** Each resolves when it is done; what goes wrong is told by the caller. */
	onVerify: () => Promise<void>;
	onRemove: () => Promise<void>;
}

/** One domain with how it stands, and what to set in DNS as long as that is not there. */
export function DomainItem({ domain, onVerify, onRemove }: DomainItemProps) {
	const [busy, setBusy] = useState<"verify" | "remove">();
	const look = stateLook[domain.state];

	function press(what: "verify" | "remove", action: () => Promise<void>) {
		if (busy) return;
		setBusy(what);
		void action().finally(() => setBusy(undefined));
	}

	return (
		<li className="domain" data-state={domain.state}>
			<div className="domain-head">
				<span className="domain-name">
					{domain.state === "waiting" ? (
						domain.displayName
					) : (
						<a href={domain.url} target="_blank" rel="noreferrer">
							{domain.displayName}
							<ExternalLink size={13} aria-hidden />
						</a>
					)}
				</span>
				<Badge tone={look.tone} icon={look.icon}>
					{look.label}
				</Badge>
				<IconButton
					label={`Remove ${domain.displayName}`}
					size="small"
					icon={<Trash2 aria-hidden />}
					disabled={busy !== undefined}
					onClick={() => press("remove", onRemove)}
				/>
			</div>
			{domain.state !== "ready" && (
				<div className="domain-proof">
					<p>Set one of these records where the domain’s DNS is managed:</p>
					{domain.records.map((record) => (
						<DomainRecord key={record.type} record={record} />
					))}
					<div className="domain-check">
						<p className="quiet" role="status">
							{domain.problem ?? "Not checked yet."}
							{domain.removedAt && ` It is shown until ${new Date(domain.removedAt).toLocaleDateString()}.`}
							{domain.checkedAt && <span> Checked {ago(domain.checkedAt)}.</span>}
						</p>
						<Button
							size="small"
							icon={<RotateCw aria-hidden />}
							pending={busy === "verify"}
							onClick={() => press("verify", onVerify)}
						>
							Check now
						</Button>
					</div>
				</div>
			)}
		</li>
	);
}

const purposes: Record<Domain["records"][number]["type"], string> = {
	CNAME: "Leads visitors here and proves the domain in one.",
	TXT: "Proves a domain that cannot have a CNAME, such as example.com. Point its A record here as well.",
};

function DomainRecord({ record }: { record: Domain["records"][number] }) {
	return (
		<dl className="domain-record" aria-label={`${record.type} record`}>
			<div className="domain-record-type">
				<dt className="rd-visually-hidden">Type</dt>
				<dd>
					<Badge tone="accent">{record.type}</Badge>
				</dd>
				<dd className="quiet">{purposes[record.type]}</dd>
			</div>
			{(["name", "value"] as const).map((part) => (
				<div key={part} className="domain-record-part">
					<dt>{part === "name" ? "Name" : "Value"}</dt>
					<dd>
						<code>{record[part]}</code>
					</dd>
					<dd>
						<CopyButton text={record[part]} />
					</dd>
				</div>
			))}
		</dl>
	);
}
