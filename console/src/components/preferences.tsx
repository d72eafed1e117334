import { Check, Languages, LogOut, Monitor, Moon, Plus, Sun, UserRound } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { signOut, switchTo, useSession } from "@/api/session";
import { Login } from "@/components/login";
import { Button } from "@/components/ui/button";
import { Modal } from "@/components/ui/overlay";
import { choose, LANGUAGES, language } from "@/lib/i18n";
import { setTheme, type Theme, useTheme } from "@/lib/theme";

const item =
  "flex cursor-pointer items-center gap-2.5 rounded-lg px-2.5 py-2 text-sm outline-none data-[highlighted]:bg-raised [&_svg]:size-4";

type MenuProps = { label: string; trigger: ReactNode; children: ReactNode };

const Menu = ({ label, trigger, children }: MenuProps) => (
  <DropdownMenu.Root>
    <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
    <DropdownMenu.Portal>
      <DropdownMenu.Content
        aria-label={label}
        sideOffset={6}
        align="end"
        className="z-50 min-w-48 rounded-xl border bg-surface p-1.5 shadow-xl"
      >
        {children}
      </DropdownMenu.Content>
    </DropdownMenu.Portal>
  </DropdownMenu.Root>
);

const Ticked = ({ value, children }: { value: string; children: ReactNode }) => (
  <DropdownMenu.RadioItem value={value} className={item}>
    <span className="grid size-4 place-items-center">
      <DropdownMenu.ItemIndicator>
        <Check />
      </DropdownMenu.ItemIndicator>
    </span>
    {children}
  </DropdownMenu.RadioItem>
);

const NAMES = { pt: "Português", en: "English" } as const;

export const LanguageMenu = () => {
  const { t } = useTranslation();
  return (
    <Menu
      label={t("common.language")}
      trigger={
        <Button look="ghost" size="icon" aria-label={t("common.language")}>
          <Languages />
        </Button>
      }
    >
      <DropdownMenu.RadioGroup value={language()} onValueChange={(next) => choose(next === "pt" ? "pt" : "en")}>
        {LANGUAGES.map((each) => (
          <Ticked key={each} value={each}>
            {NAMES[each]}
          </Ticked>
        ))}
      </DropdownMenu.RadioGroup>
    </Menu>
  );
};

const themeIcon = { system: <Monitor />, light: <Sun />, dark: <Moon /> } as const;

export const ThemeMenu = () => {
  const { t } = useTranslation();
  const theme = useTheme();
  return (
    <Menu
      label={t("theme.label")}
      trigger={
        <Button look="ghost" size="icon" aria-label={t("theme.label")}>
          {themeIcon[theme]}
        </Button>
      }
    >
      <DropdownMenu.RadioGroup value={theme} onValueChange={(next) => setTheme(next as Theme)}>
        {(["system", "light", "dark"] as const).map((each) => (
          <Ticked key={each} value={each}>
            {t(`theme.${each}`)}
          </Ticked>
        ))}
      </DropdownMenu.RadioGroup>
    </Menu>
  );
};

/** The tenants whose keys this device has: one at a time is looked at. */
export const AccountMenu = () => {
  const { t } = useTranslation();
  const { accounts, active } = useSession();
  const [adding, setAdding] = useState(false);
  return (
    <>
      <Menu
        label={t("account.label")}
        trigger={
          <Button look="ghost" size="small" className="max-w-44 gap-2" aria-label={t("account.of", { name: active ?? "" })}>
            <UserRound />
            <span className="truncate">{active}</span>
          </Button>
        }
      >
        <DropdownMenu.Label className="px-2.5 pt-1.5 pb-1 text-xs text-quiet">{t("account.label")}</DropdownMenu.Label>
        <DropdownMenu.RadioGroup value={active ?? ""} onValueChange={switchTo}>
          {accounts.map((account) => (
            <Ticked key={account.name} value={account.name}>
              {account.name}
            </Ticked>
          ))}
        </DropdownMenu.RadioGroup>
        <DropdownMenu.Separator className="my-1 h-px bg-line" />
        <DropdownMenu.Item className={item} onSelect={() => setAdding(true)}>
          <Plus />
          {t("account.add")}
        </DropdownMenu.Item>
        <DropdownMenu.Item className={item} onSelect={signOut}>
          <LogOut />
          {t("account.leave")}
        </DropdownMenu.Item>
      </Menu>
      <Modal open={adding} onOpen={setAdding} title={t("account.add")} hint={t("account.addHint")}>
        <Login onDone={() => setAdding(false)} />
      </Modal>
    </>
  );
};
