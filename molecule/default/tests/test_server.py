"""The server itself, reached the way that a deploy reaches it."""

from testinfra.host import Host


def test_is_reached_by_ssh_as_an_unprivileged_user(host: Host) -> None:
    assert host.user().name == "deploy"
    assert host.check_output("printenv SSH_CONNECTION")


def test_lets_the_user_become_root_without_a_password(host: Host) -> None:
    with host.sudo():
        assert host.user().name == "root"


def test_runs_sshd_as_a_service(host: Host) -> None:
    assert host.service("ssh").is_running
    assert host.service("ssh").is_enabled


def test_has_no_failed_unit(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""


def test_is_of_the_suite_that_the_inventory_names(host: Host) -> None:
    suite = host.ansible.get_variables()["test_server_suite"]
    assert host.system_info.codename == suite


def test_knows_the_settings_of_the_project(host: Host) -> None:
    """Tests ask Ansible for settings instead of repeating them: those of the project's group_vars must be there."""
    answer = host.ansible("ansible.builtin.debug", "var=test_server_name", check=False)
    assert answer["test_server_name"] == f"uwsgi-flask-{host.ansible.get_variables()['inventory_hostname']}"
