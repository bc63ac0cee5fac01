import { Button, Callout, Card, CopyButton, Dialog, Skeleton, TextField, toast } from "@repldock/ui";
import { KeyRound, Plus } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import type { CreatedToken, Page, PersonalToken } from "../api/answers.ts";
import { callApi, sentenceOf } from "../api/client.ts";
import { FormDialog } from "../forms/form-dialog.tsx";
import { textOf, useSubmit } from "../forms/use-submit.ts";
import { ago } from "../time.ts";

/** Personal tokens: what programs sign in with. */
export function TokensCard() {
	const [tokens, setTokens] = useState<PersonalToken[] | null>(null);
	const [problem, setProblem] = useState<string>();
	const [creating, setCreating] = useState(false);
	const [revoking, setRevoking] = useState<PersonalToken | null>(null);

	const load = useCallback(() => {
		setProblem(undefined);
		callApi<Page<PersonalToken>>("GET", "/api/v1/tokens").then(
			(page) => setTokens(page.items),
			(error: unknown) => setProblem(sentenceOf(error)),
		);
	}, []);
	useEffect(load, [load]);

	return (
		<Card
			title="API tokens"
			description="For scripts and tools that act in your name."
			action={
				<Button icon={<Plus aria-hidden />} onClick={() => setCreating(true)}>
					New token
				</Button>
			}
		>
			{problem && (
				<Callout tone="danger" action={<Button onClick={load}>Try again</Button>}>
					{problem}
				</Callout>
			)}
			{!tokens && !problem && <Skeleton height="3rem" />}
			{tokens?.length === 0 && <p className="quiet">No tokens yet.</p>}
			{tokens && tokens.length > 0 && (
				<ul className="tokens" aria-label="API tokens">
					{tokens.map((token) => (
						<li key={token.id}>
							<KeyRound size={16} aria-hidden />
							<div>
								<p>{token.name}</p>
								<p className="quiet">
									Created {ago(token.createdAt)} ·{" "}
									{token.lastUsedAt ? `last used ${ago(token.lastUsedAt)}` : "never used"}
								</p>
							</div>
							<Button size="small" aria-label={`Revoke ${token.name}`} onClick={() => setRevoking(token)}>
								Revoke
							</Button>
						</li>
					))}
				</ul>
			)}
			<NewTokenDialog
				open={creating}
				onClose={() => setCreating(false)}
				onCreated={(token) => setTokens((list) => [token, ...(list ?? [])])}
			/>
			<RevokeDialog
				token={revoking}
				onClose={() => setRevoking(null)}
				onRevoked={(id) => setTokens((list) => list?.filter((token) => token.id !== id) ?? null)}
			/>
		</Card>
	);
}

interface NewTokenDialogProps {
	open: boolean;
	onClose: () => void;
	onCreated: (token: PersonalToken) => void;
}

function NewTokenDialog({ open, onClose, onCreated }: NewTokenDialogProps) {
	const [token, setToken] = useState<string>();
	function close() {
		setToken(undefined);
		onClose();
	}
	const submission = useSubmit(["name"], async (values) => {
		const { token: secret, ...rest } = await callApi<CreatedToken>("POST", "/api/v1/tokens", {
			name: textOf(values, "name").trim(),
		});
		setToken(secret);
		onCreated(rest);
		return undefined;
	});
	if (token) {
		return (
			<Dialog
				open={open}
				onClose={close}
				title="Your new token"
				description="Copy it now: it is not shown again."
				footer={
					<Button variant="primary" onClick={close}>
						Done
					</Button>
				}
			>
				<TextField
					label="Token"
					hideLabel
					value={token}
					readOnly
					className="secret"
					after={<CopyButton text={token} />}
					onFocus={(event) => event.currentTarget.select()}
					data-autofocus
				/>
			</Dialog>
		);
	}
	return (
		<FormDialog open={open} onClose={close} title="New API token" submission={submission} submit="Create token">
			<TextField
				label="Name"
				name="name"
				maxLength={60}
				required
				autoComplete="off"
				hint="What will use it, for example “backup script”."
				error={submission.fieldError("name")}
				data-autofocus
			/>
		</FormDialog>
	);
}

interface RevokeDialogProps {
	token: PersonalToken | null;
	onClose: () => void;
	onRevoked: (id: string) => void;
}

function RevokeDialog({ token, onClose, onRevoked }: RevokeDialogProps) {
	const submission = useSubmit([], async () => {
		if (!token) return undefined;
		await callApi("DELETE", `/api/v1/tokens/${token.id}`);
		onRevoked(token.id);
		toast({ title: `Revoked ${token.name}` });
		onClose();
		return undefined;
	});
	return (
		<FormDialog
			open={token !== null}
			onClose={onClose}
			size="small"
			title="Revoke this token?"
			description={`What uses “${token?.name}” loses its access at once. This cannot be undone.`}
			submission={submission}
			submit="Revoke token"
			variant="danger"
		/>
	);
}
